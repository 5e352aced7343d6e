"""The losses written as their papers and public implementations compute them, to be timed against the project's.

Maps are (B, C, H, W) of equal height and width, embeddings (B, D), logits (B, classes); every function gives a scalar.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def kd(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Hinton et al. 2015: KL of softened distributions, times T²."""
    p = functional.log_softmax(student / temperature, dim=1)
    q = functional.softmax(teacher / temperature, dim=1)
    return functional.kl_div(p, q, reduction="sum") * temperature**2 / student.shape[0]


def ce_soft(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Cross-entropy with softened targets."""
    targets = functional.softmax(teacher / temperature, dim=1)
    return -(targets * functional.log_softmax(student / temperature, dim=1)).sum(1).mean()


def logit_standardization(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Sun et al. 2024: KD on z-scores."""

    def scored(z: Tensor) -> Tensor:
        return (z - z.mean(dim=-1, keepdims=True)) / (1e-7 + z.std(dim=-1, keepdims=True))

    return kd(scored(student), scored(teacher), temperature)


def dkd(student: Tensor, teacher: Tensor, labels: Tensor, alpha: float, beta: float, temperature: float) -> Tensor:
    """Zhao et al. 2022: target against rest, and the rest among themselves with the target masked by a large number."""
    target = functional.one_hot(labels, student.shape[1]).bool()

    def halves(logits: Tensor) -> Tensor:
        probabilities = functional.softmax(logits / temperature, dim=1)
        kept, rest = (probabilities * target).sum(1), (probabilities * ~target).sum(1)
        return torch.stack([kept, rest], dim=1)

    of_target = functional.kl_div(halves(student).log(), halves(teacher), reduction="batchmean")
    p = functional.log_softmax(student / temperature - 1000.0 * target, dim=1)
    q = functional.softmax(teacher / temperature - 1000.0 * target, dim=1)
    of_rest = functional.kl_div(p, q, reduction="batchmean")
    return (alpha * of_target + beta * of_rest) * temperature**2


def dist(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Huang et al. 2022: one minus Pearson's correlation, over rows and over columns."""

    def away(a: Tensor, b: Tensor) -> Tensor:
        centred = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
        return 1 - functional.cosine_similarity(*centred, dim=1, eps=1e-8).mean()

    p, q = (student / temperature).softmax(dim=1), (teacher / temperature).softmax(dim=1)
    return temperature**2 * (away(p, q) + away(p.transpose(0, 1), q.transpose(0, 1)))


def hint(student: Tensor, teacher: Tensor) -> Tensor:
    """Romero et al. 2015: mean squared difference."""
    return (student - teacher).pow(2).mean()


def attention_transfer(student: Tensor, teacher: Tensor) -> Tensor:
    """Zagoruyko & Komodakis 2017: difference of normalised attention maps, squared."""

    def attention(features: Tensor) -> Tensor:
        return functional.normalize(features.pow(2).mean(1).view(features.shape[0], -1))

    return (attention(student) - attention(teacher)).pow(2).mean()


def similarity_preserving(student: Tensor, teacher: Tensor) -> Tensor:
    """Tung & Mori 2019: Gram matrices of the batch, rows normalised."""
    batch = student.shape[0]

    def gram(features: Tensor) -> Tensor:
        rows = features.view(batch, -1)
        return functional.normalize(torch.mm(rows, torch.t(rows)))

    difference = gram(teacher) - gram(student)
    return (difference * difference).view(-1, 1).sum(0).squeeze() / (batch * batch)


def rkd_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Park et al. 2019: all distances in units of their mean."""

    def distances(e: Tensor) -> Tensor:
        squares = e.pow(2).sum(dim=1)
        found = (squares.unsqueeze(1) + squares.unsqueeze(0) - 2 * (e @ e.t())).clamp(min=1e-12).sqrt()
        found = found.clone()
        found[range(len(e)), range(len(e))] = 0
        return found / found[found > 0].mean()

    return functional.smooth_l1_loss(distances(student), distances(teacher))


def rkd_angle(student: Tensor, teacher: Tensor) -> Tensor:
    """Park et al. 2019: the B x B x D tensor of differences, normalised, times itself."""

    def cosines(e: Tensor) -> Tensor:
        directions = functional.normalize(e.unsqueeze(0) - e.unsqueeze(1), p=2, dim=2)
        return torch.bmm(directions, directions.transpose(1, 2)).view(-1)

    return functional.smooth_l1_loss(cosines(student), cosines(teacher))


def nst(student: Tensor, teacher: Tensor) -> Tensor:
    """Huang & Wang 2017: the kernel of every pair of channels through a tensor of B x C x C' x HW."""

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x.unsqueeze(2) * y.unsqueeze(1)).sum(-1).pow(2).mean()

    s, t = (functional.normalize(each.view(*each.shape[:2], -1), dim=2) for each in (student, teacher))
    return kernel(t, t) + kernel(s, s) - 2 * kernel(s, t)


def pkt(student: Tensor, teacher: Tensor) -> Tensor:
    """Passalis & Tefas 2018: cosine similarities as conditional probabilities."""

    def probabilities(e: Tensor) -> Tensor:
        e = e / (torch.sqrt(torch.sum(e**2, dim=1, keepdim=True)) + 1e-7)
        similarity = (torch.mm(e, e.transpose(0, 1)) + 1.0) / 2.0
        return similarity / torch.sum(similarity, dim=1, keepdim=True)

    s, t = probabilities(student), probabilities(teacher)
    return torch.mean(t * torch.log((t + 1e-7) / (s + 1e-7)))


def correlation_congruence(student: Tensor, teacher: Tensor) -> Tensor:
    """Peng et al. 2019: Gaussian kernel of all pairs, its exponential expanded to the second order."""
    gamma = 0.4

    def kernel(e: Tensor) -> Tensor:
        unit = functional.normalize(e)
        similarity = torch.matmul(unit, unit.t())
        total = torch.zeros_like(similarity)
        factorial = 1.0
        for order in range(3):
            factorial *= max(order, 1)
            total = total + (2 * gamma) ** order / factorial * torch.pow(similarity, order)
        return torch.exp(torch.tensor(-2 * gamma)) * total

    return (kernel(student) - kernel(teacher)).pow(2).mean()


def correlation_congruence_adjacent(student: Tensor, teacher: Tensor) -> Tensor:
    """The product of the differences of adjacent samples."""
    delta = torch.abs(student - teacher)
    return torch.mean((delta[:-1] * delta[1:]).sum(1))


def vid(mean: Tensor, log_scale: Tensor, teacher: Tensor) -> Tensor:
    """Ahn et al. 2019: negative log-likelihood under a Gaussian with a variance a channel."""
    variance = torch.log(1.0 + torch.exp(log_scale)) + 1e-5
    variance = variance.view(1, -1, 1, 1)
    return torch.mean(0.5 * ((mean - teacher) ** 2 / variance + torch.log(variance)))


def activation_boundary(student: Tensor, teacher: Tensor) -> Tensor:
    """Heo et al. 2019: squared hinge on the side of the boundary that the teacher is on."""
    margin = 1.0
    wrongly_on = ((student > -margin) & (teacher <= 0)).float()
    wrongly_off = ((student <= margin) & (teacher > 0)).float()
    loss = (student + margin) ** 2 * wrongly_on + (student - margin) ** 2 * wrongly_off
    return loss.sum() / student.shape[0] / 1000 * 3


def factor_transfer(student: Tensor, teacher: Tensor) -> Tensor:
    """Kim et al. 2018: absolute difference of normalised factors."""

    def factor(features: Tensor) -> Tensor:
        return functional.normalize(features.pow(2).mean(1).view(features.shape[0], -1))

    return (factor(student) - factor(teacher)).abs().mean()


def fsp(s_first: Tensor, s_second: Tensor, t_first: Tensor, t_second: Tensor) -> Tensor:
    """Yim et al. 2017: inner products of the channels of two stages, the earlier max-pooled to the later."""

    def flow(first: Tensor, second: Tensor) -> Tensor:
        pooled = functional.adaptive_max_pool2d(first, second.shape[2:])
        rows = pooled.view(first.shape[0], first.shape[1], 1, -1)
        columns = second.view(second.shape[0], 1, second.shape[1], -1)
        return (rows * columns).mean(-1)

    return (flow(s_first, s_second) - flow(t_first, t_second)).pow(2).mean()


def crd_inbatch(student: Tensor, teacher: Tensor) -> Tensor:
    """Contrast within the batch (InfoNCE), in both directions."""
    s, t = functional.normalize(student), functional.normalize(teacher)
    truth = torch.arange(len(s))
    return (functional.cross_entropy(s @ t.t() / 0.07, truth) + functional.cross_entropy(t @ s.t() / 0.07, truth)) / 2


def crd(student: Tensor, teacher: Tensor, memory: Tensor, columns: Tensor) -> Tensor:
    """Tian et al. 2020: noise-contrastive estimation against a memory of every image, in both directions."""
    batch, count = columns.shape
    size = memory.shape[1]
    noise, eps = (count - 1) / size, 1e-7

    def contrast(embeddings: Tensor, rows: Tensor) -> Tensor:
        chosen = torch.index_select(rows, 0, columns.view(-1)).view(batch, count, -1)
        scores = torch.exp(torch.bmm(chosen, embeddings.unsqueeze(2)).squeeze(2) / 0.07)
        shares = scores / (scores.mean() * size).detach()
        positive = torch.log(shares[:, 0] / (shares[:, 0] + noise + eps))
        negative = torch.log(noise / (shares[:, 1:] + noise + eps))
        return -(positive.sum() + negative.sum()) / batch

    return contrast(student, memory[1]) + contrast(teacher, memory[0])


def review_hcl(student: Tensor, teacher: Tensor) -> Tensor:
    """Chen et al. 2021: mean squared differences at several sizes of the map, halved at each."""
    height = student.shape[2]
    loss, total, weight = functional.mse_loss(student, teacher), 1.0, 1.0
    for size in (4, 2, 1):
        if size >= height:
            continue
        weight /= 2.0
        pooled = [functional.adaptive_avg_pool2d(each, (size, size)) for each in (student, teacher)]
        loss = loss + weight * functional.mse_loss(*pooled)
        total += weight
    return loss / total


def channel_wise(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Shu et al. 2021: KL of the softened distribution of every channel over its pixels."""
    batch, channels = student.shape[:2]
    q = functional.softmax(teacher.view(-1, teacher.shape[2] * teacher.shape[3]) / temperature, dim=1)
    log = torch.nn.LogSoftmax(dim=1)
    t, s = (log(each.view(q.shape) / temperature) for each in (teacher, student))
    return torch.sum(q * t - q * s) * temperature**2 / (batch * channels)


def pkd(student: Tensor, teacher: Tensor) -> Tensor:
    """Cao et al. 2022: half the mean squared difference of channels standardised over batch and pixels."""

    def standard(features: Tensor) -> Tensor:
        channels = features.shape[1]
        rows = features.permute(1, 0, 2, 3).reshape(channels, -1)
        rows = (rows - rows.mean(dim=-1, keepdim=True)) / (rows.std(dim=-1, keepdim=True) + 1e-6)
        shape = (channels, features.shape[0], *features.shape[2:])
        return rows.reshape(shape).permute(1, 0, 2, 3)

    return functional.mse_loss(standard(student), standard(teacher)) / 2


def srrl(student: Tensor, teacher: Tensor) -> Tensor:
    """Yang et al. 2021: mean squared difference of the spatial means."""
    batch, channels = student.shape[:2]
    s, t = (each.view(batch, channels, -1).mean(-1) for each in (student, teacher))
    return (s - t).pow(2).sum() / (batch * channels)


def ickd(student: Tensor, teacher: Tensor) -> Tensor:
    """Liu et al. 2021: inner products of all pairs of channels."""

    def correlations(features: Tensor) -> Tensor:
        rows = features.view(features.shape[0], features.shape[1], -1)
        return torch.bmm(rows, rows.permute(0, 2, 1)) / rows.shape[2]

    return (correlations(student) - correlations(teacher)).pow(2).mean()


def gram(student: Tensor, teacher: Tensor) -> Tensor:
    """Gatys et al. 2015: as :func:`ickd`, image by image."""

    def one(features: Tensor) -> Tensor:
        rows = features.view(features.shape[0], -1)
        return torch.mm(rows, rows.t()) / rows.shape[1]

    pairs = zip(student, teacher, strict=True)
    return torch.stack([(one(s) - one(t)).pow(2).mean() for s, t in pairs]).mean()


def mmd(student: Tensor, teacher: Tensor) -> Tensor:
    """Huang & Wang 2017: squared inner products of all pairs of positions, through kernels of HW x HW."""

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (torch.bmm(x.flatten(2).transpose(1, 2), y.flatten(2)) / x.shape[1]).pow(2).mean()

    return kernel(teacher, teacher) + kernel(student, student) - 2 * kernel(student, teacher)
