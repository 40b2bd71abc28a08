"""Training: back-propagation through time with Adam, in JAX, on any :class:`autapse.tasks.Task`.

JAX and optax are imported when training starts; nothing else in the package needs them.
"""

from autapse.train.config import TrainConfig, recommended
from autapse.train.fixed_point import quantize_for, score_on
from autapse.train.loop import Progress, format_score, train
from autapse.train.weights import orthogonal

__all__ = ["Progress", "TrainConfig", "format_score", "orthogonal", "quantize_for", "recommended", "score_on", "train"]
