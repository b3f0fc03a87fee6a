"""gansynth: GAN augmentation for scarce labelled data, with an honest measure of what it gains."""
