"""What a rendered picture is measured by. All take pictures [B, 3, H, W] in 0..1; masks [B, 1, H, W].

Differences of gradients on several scales are for training, beside the feature network of `perceptual.py`; the gradient
magnitude similarity deviation (Xue et al. 2014), which nothing is trained on, is the perceptual distance for judging.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


def gradients(a: torch.Tensor, b: torch.Tensor, scales: int = 3) -> torch.Tensor:
    """Mean absolute difference of horizontal and vertical gradients, each scale half the size of the one before."""
    total = a.new_zeros(())
    for _ in range(scales):
        d = a - b
        total = total + (d[..., 1:] - d[..., :-1]).abs().mean() + (d[..., 1:, :] - d[..., :-1, :]).abs().mean()
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return total / scales


def over(colour: torch.Tensor, alpha: torch.Tensor, background: torch.Tensor | float = 0.0) -> torch.Tensor:
    """Straight colour and alpha laid over a background."""
    return colour * alpha + background * (1 - alpha)


def psnr(a: torch.Tensor, b: torch.Tensor, mask: torch.Tensor) -> float:
    """Peak signal to noise in dB over the pixels where mask > 0."""
    inside = (mask > 0).expand_as(a)
    error = ((a - b)[inside] ** 2).double().mean().clamp_min(1e-10)
    return float(-10 * torch.log10(error))


def ssim(a: torch.Tensor, b: torch.Tensor, mask: torch.Tensor) -> float:
    """Structural similarity (Wang et al. 2004, Gaussian window of 11, σ 1.5) averaged over mask > 0."""
    window = torch.exp(-(torch.arange(-5, 6, dtype=a.dtype) ** 2) / (2 * 1.5**2)).to(a.device)
    window = window / window.sum()

    def blur(x: torch.Tensor) -> torch.Tensor:
        x = F.conv2d(x.flatten(0, 1)[:, None], window[None, None, :, None], padding=(5, 0))
        return F.conv2d(x, window[None, None, None], padding=(0, 5)).view(a.shape)

    ma, mb = blur(a), blur(b)
    va, vb, both = blur(a * a) - ma * ma, blur(b * b) - mb * mb, blur(a * b) - ma * mb
    c1, c2 = 0.01**2, 0.03**2
    found = (2 * ma * mb + c1) * (2 * both + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2))
    return float(found[(mask > 0).expand_as(a)].mean())


def gmsd(a: torch.Tensor, b: torch.Tensor, mask: torch.Tensor) -> float:
    """Gradient magnitude similarity deviation over mask > 0: 0 is the same, 0.05 hard to see, 0.2 plain."""
    grey = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1).to(a)
    prewitt = torch.tensor([[1.0, 0, -1]] * 3).to(a)[None, None] / 3

    def magnitude(x: torch.Tensor) -> torch.Tensor:
        x = F.avg_pool2d((x * grey).sum(1, keepdim=True), 2)
        wide, high = F.conv2d(x, prewitt, padding=1), F.conv2d(x, prewitt.transpose(2, 3), padding=1)
        return torch.sqrt(wide**2 + high**2 + 1e-12)

    ga, gb = magnitude(a), magnitude(b)
    c = 170.0 / 255**2
    similar = (2 * ga * gb + c) / (ga**2 + gb**2 + c)
    return float(similar[F.max_pool2d(mask, 2) > 0].std(correction=0))
