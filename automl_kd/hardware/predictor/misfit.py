"""How far a sum of kernels is off even with the best coefficients; networks that are alike share it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from automl_kd.hardware.predictor.cost import Floats


@dataclass(frozen=True, slots=True)
class Misfit:
    """What the model gets wrong of a device even with the best coefficients, in natural logarithms.

    Two networks share this error as far as they are alike in size and in what their time consists of.

    Attributes:
        noise: Standard deviation of the error that a measurement has of its own.
        alike: Standard deviation of the error that alike networks share.
        composition: Hellinger distance of two networks' compositions over which they stop being alike.
        size: Distance in the logarithm of their operations over which they do.
    """

    noise: float
    alike: float
    composition: float = 0.3
    size: float = 2.0

    def shared(self, first: Traits, second: Traits) -> Floats:
        """Covariance of the errors of two sets of networks, (N, M)."""
        a, b = first.roots / self.composition, second.roots / self.composition
        squares = np.square(a).sum(1)[:, None] + np.square(b).sum(1)[None] - 2 * (a @ b.T)
        sizes = (first.sizes[:, None] - second.sizes[None]) / self.size
        found: Floats = self.alike**2 * np.exp(-0.5 * (np.maximum(squares, 0.0) + np.square(sizes)))
        return found

    def covariance(self, traits: Traits) -> Floats:
        """Covariance of the misfit of measured networks, noise included, (N, N)."""
        return self.shared(traits, traits) + self.noise**2 * np.eye(len(traits.sizes))


@dataclass(frozen=True, slots=True)
class Traits:
    """The properties by which networks are compared.

    Attributes:
        roots: Square roots of the shares of time by what limits it and kind, (N, 3 K + 1).
        sizes: Natural logarithms of the operations, (N,).
    """

    roots: Floats
    sizes: Floats

    @staticmethod
    def of(sensitivities: Floats, flops: Floats) -> Traits:
        """Traits of N networks.

        Args:
            sensitivities: Derivatives of the logarithm of their time by the log-coefficients, (N, 3 K + 1).
            flops: Their operations, (N,).
        """
        return Traits(np.sqrt(np.abs(sensitivities)), np.log(np.maximum(flops, 1e5)))


PUBLISHED = Misfit(noise=0.05, alike=0.2)
"""Misfit of whole networks that others measured. The marginal likelihood says .15 for ``alike``; with that, intervals
hold too few networks that are unlike the measured ones."""
