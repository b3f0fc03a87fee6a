"""A user's own classifier, named by where Python finds it."""

import importlib
import inspect
from typing import Any

from sklearn.base import BaseEstimator

from gansynth.errors import StudyError, shortened

SEPARATOR = ":"


def is_custom(name: str) -> bool:
    """Tell whether a classifier's name is that of a class in some module."""
    return SEPARATOR in name


def build_custom(name: str, seed: int) -> Any:  # noqa: ANN401  # scikit-learn has no types
    """Return an untrained classifier of a class that is named `package.module:Class`.

    It is made without arguments, and given the seed if it has a `random_state`.

    Raises:
        StudyError: It cannot be imported or made, is no estimator of scikit-learn, gives no probabilities, or takes no
            weights of rows.
    """
    module, _, attribute = name.partition(SEPARATOR)
    try:
        found = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):  # one that the user's module imports
            raise _unusable(name, f"cannot be imported ({_told(error)})") from None
        raise StudyError(
            f"evaluation.classifier: {name!r} cannot be imported, for Python finds no module {error.name!r}; install"
            " it, or say which folder holds it: PYTHONPATH=FOLDER gansynth ..."
        ) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 a user's module may raise anything
        raise _unusable(name, f"cannot be imported ({_told(error)})") from None
    if not (inspect.isclass(found) and issubclass(found, BaseEstimator)):
        raise _unusable(name, "is no class that derives from sklearn.base.BaseEstimator")
    try:
        estimator: Any = found()
    except Exception as error:  # noqa: BLE001 a user's class may raise anything
        raise _unusable(name, f"cannot be made without arguments ({_told(error)})") from None
    if not hasattr(estimator, "predict_proba"):
        raise _unusable(name, "has no predict_proba, and so no probabilities")
    if "sample_weight" not in inspect.signature(estimator.fit).parameters:
        raise _unusable(name, "does not take sample_weight in fit, and synthetic rows are weighted")
    if "random_state" in estimator.get_params(deep=False):
        estimator.set_params(random_state=seed)
    return estimator


def _unusable(name: str, reason: str) -> StudyError:
    return StudyError(f"evaluation.classifier: {name!r} {reason}; mend it, or name another classifier")


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {shortened(str(error), 200)}" if str(error) else type(error).__name__
