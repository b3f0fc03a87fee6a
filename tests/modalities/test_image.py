import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gansynth.errors import StudyError
from gansynth.modalities.image import Codec, ImageConfig, Policy, augment, build_classifier, check_classifier
from gansynth.modalities.image.classical import POLICIES
from gansynth.modalities.image.storage import (
    class_names_of,
    decode_png,
    encode_all,
    encode_png,
    features,
    image_column,
    images_of,
)
from gansynth.samples import Samples


@given(st.integers(1, 3), st.sampled_from([1, 3]), st.integers(1, 9))
def test_codec_returns_every_pixel(count: int, channels: int, side: int) -> None:
    values = np.random.default_rng(side).integers(0, 256, (count, side, side, channels), dtype=np.uint8)
    codec = Codec.fit(Samples(values, np.zeros(count, np.int64), ("one",)), ImageConfig())
    assert Codec.restore(codec.describe()) == codec
    encoded = codec.inputs(codec.hold(values))
    assert encoded.shape == (count, channels, side, side)
    assert encoded.min() >= -1
    assert encoded.max() <= 1
    np.testing.assert_array_equal(codec.decode(encoded), values)


@pytest.mark.parametrize("channels", [1, 3])
def test_png_and_column_return_every_pixel(channels: int) -> None:
    values = np.random.default_rng(0).integers(0, 256, (3, 5, 7, channels), dtype=np.uint8)
    np.testing.assert_array_equal(decode_png(encode_png(values[0])), values[0])
    table = pa.table({"image": image_column(values)})
    np.testing.assert_array_equal(images_of(table["image"]), values)


@pytest.mark.parametrize("side", [8, 128])
def test_images_encoded_on_several_threads_keep_their_order_and_their_text(side: int) -> None:
    values = np.random.default_rng(0).integers(0, 256, (9, side, side, 3), dtype=np.uint8)
    files = encode_all(values, {"note": "made"}, threads=3)
    assert files == [encode_png(image, {"note": "made"}) for image in values]
    assert encode_all(values[:0], threads=3) == []


def test_class_names_survive_in_the_schema() -> None:
    names = ("=cmd()", "../../x", "naïve 🦊", "")
    schema = pa.schema([("label", pa.int64())], metadata=features(names, {"group": pa.int64()}))
    assert class_names_of(schema) == names
    assert class_names_of(pa.schema([("label", pa.int64())])) is None


@pytest.mark.parametrize("policy", POLICIES)
def test_policies_keep_shape_and_range_and_repeat_with_their_seed(policy: Policy) -> None:
    images, targets = torch.rand(12, 3, 16, 16) * 2 - 1, torch.eye(12)
    (first, labels), (second, same_labels) = (
        augment(images, targets, policy, ImageConfig(), torch.Generator().manual_seed(1)) for _ in range(2)
    )
    assert first.shape == images.shape
    assert first.abs().max() <= 1.001
    assert torch.equal(first, second)
    assert torch.equal(labels, same_labels)
    torch.testing.assert_close(labels.sum(1), torch.ones(12))
    assert torch.equal(first, images) == (policy == "none")
    assert torch.equal(labels, targets) == (policy not in {"affine+mixup", "affine+cutmix"})


def share_flipped(policy: Policy, config: ImageConfig) -> float:
    # a bright left half: a small affine map never moves it to the right
    images = torch.full((60, 1, 16, 16), -1.0)
    images[:, :, :, :6] = 1
    augmented, _ = augment(images, torch.zeros(60, 2), policy, config, torch.Generator().manual_seed(0))
    return float((augmented[:, :, :, 11:].mean((1, 2, 3)) > 0).float().mean())


def test_images_flip_only_by_a_policy_with_flips_or_if_the_study_allows_it() -> None:
    assert share_flipped("affine", ImageConfig()) == 0
    assert share_flipped("affine+flip", ImageConfig()) == pytest.approx(0.5, abs=0.25)
    assert share_flipped("none", ImageConfig(flip=True)) == pytest.approx(0.5, abs=0.25)


@pytest.mark.parametrize("policy", ["affine+mixup", "affine+cutmix"])
def test_mixing_mixes_images_and_labels_alike(policy: Policy) -> None:
    images = torch.cat([torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)])
    mixed, mixed_targets = augment(images, torch.eye(2), policy, ImageConfig(), torch.Generator().manual_seed(4))
    assert 0 < mixed_targets[0, 1] < 1
    torch.testing.assert_close(mixed.mean((1, 2, 3)), mixed_targets[:, 1])


@pytest.mark.parametrize("name", ["small_resnet", "resnet18", "mobilenet_v3_small"])
def test_classifiers_give_logits_and_features(name: str) -> None:
    network = build_classifier(name, (1, 32, 32), 4).eval()
    images = torch.rand(2, 1, 32, 32)
    assert network(images).shape == (2, 4)
    features = network.embed(images)
    assert features.shape[0] == 2
    assert features.shape[1] > 4


def test_a_classifier_that_needs_larger_images_is_refused_before_training() -> None:
    with pytest.raises(StudyError, match=r"inception_v3 cannot take images of 32 pixels .*modality\.size"):
        check_classifier("inception_v3", (3, 32, 32), 4)
    for name in ("small_resnet", "resnet18"):
        check_classifier(name, (1, 32, 32), 4)


def test_an_unknown_classifier_is_named() -> None:
    with pytest.raises(StudyError, match=r"evaluation\.classifier.*'resnet99'"):
        build_classifier("resnet99", (1, 32, 32), 4)
