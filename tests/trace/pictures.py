"""Nets for pictures as they are published, small: YOLOv8, a diffusion U-Net, a VGG in Keras's layout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


def convolved(inner: int, outer: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    norm = nn.BatchNorm2d(outer, eps=1e-3)
    return nn.Sequential(nn.Conv2d(inner, outer, kernel, stride, kernel // 2, bias=False), norm, nn.SiLU())


class C2f(nn.Module):
    """Halves of the channels, one of them through a chain whose every link is kept."""

    def __init__(self, inner: int, outer: int, kept: bool = False) -> None:
        super().__init__()
        half, self.kept = outer // 2, kept
        self.first, self.last = convolved(inner, outer), convolved(3 * half, outer)
        self.chain = nn.Sequential(convolved(half, half, 3), convolved(half, half, 3))

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.first(x).chunk(2, 1)
        more = self.chain(right)
        return self.last(torch.cat((left, right, right + more if self.kept else more), 1))  # type: ignore[no-any-return]


class Sppf(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.last = convolved(channels, channels // 2), convolved(channels * 2, channels)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        parts = [self.first(x)]
        parts += [self.pool(parts[-1])]
        parts += [self.pool(parts[-1])]
        parts += [self.pool(parts[-1])]
        return self.last(torch.cat(parts, 1))  # type: ignore[no-any-return]


class Detect(nn.Module):
    """Boxes as distributions of distances, of three scales."""

    def __init__(self, widths: Sequence[int], classes: int = 8) -> None:
        super().__init__()
        self.classes = classes
        self.boxes = nn.ModuleList(nn.Sequential(convolved(n, 16, 3), nn.Conv2d(16, 64, 1)) for n in widths)
        self.kinds = nn.ModuleList(
            nn.Sequential(convolved(n, 16, 3), nn.Conv2d(16, classes, 1)) for n in widths
        )
        self.mean = nn.Conv2d(16, 1, 1, bias=False)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        rows, anchors, strides = [], [], []
        for n, each in enumerate(maps):
            rows.append(torch.cat((self.boxes[n](each), self.kinds[n](each)), 1).flatten(2))
            height, width = each.shape[2:]
            y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
            anchors.append(torch.stack((x, y), -1).view(-1, 2))
            strides.append(torch.full((height * width, 1), 8.0 * 2**n))
        boxes, kinds = torch.cat(rows, 2).split((64, self.classes), 1)
        batch, _, count = boxes.shape
        apart = boxes.view(batch, 4, 16, count).transpose(2, 1).softmax(1)
        near, far = self.mean(apart).view(batch, 4, count).chunk(2, 1)
        anchor = torch.cat(anchors).transpose(0, 1).unsqueeze(0)
        low, high = anchor - near, anchor + far
        box = torch.cat(((low + high) / 2, high - low), 1) * torch.cat(strides).transpose(0, 1)
        return torch.cat((box, kinds.sigmoid()), 1)


class Yolo(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        a, b, c, d, e = (width * 2**n for n in range(5))
        self.stem = nn.Sequential(convolved(3, a, 3, 2), convolved(a, b, 3, 2), C2f(b, b, True))
        self.third = nn.Sequential(convolved(b, c, 3, 2), C2f(c, c, True))
        self.fourth = nn.Sequential(convolved(c, d, 3, 2), C2f(d, d, True))
        self.fifth = nn.Sequential(convolved(d, e, 3, 2), C2f(e, e, True), Sppf(e))
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.up4, self.up3, self.out4, self.out5 = C2f(e + d, d), C2f(d + c, c), C2f(c + d, d), C2f(d + e, e)
        self.down3, self.down4 = convolved(c, c, 3, 2), convolved(d, d, 3, 2)
        self.head = Detect((c, d, e))

    def forward(self, x: Tensor) -> Tensor:
        third = self.third(self.stem(x))
        fourth = self.fourth(third)
        fifth = self.fifth(fourth)
        up4 = self.up4(torch.cat((self.up(fifth), fourth), 1))
        up3 = self.up3(torch.cat((self.up(up4), third), 1))
        out4 = self.out4(torch.cat((self.down3(up3), up4), 1))
        out5 = self.out5(torch.cat((self.down4(out4), fifth), 1))
        return self.head([up3, out4, out5])  # type: ignore[no-any-return]


class Residual(nn.Module):
    """Two convolutions behind normalized groups; the time is added between them."""

    def __init__(self, inner: int, outer: int, wide: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(4, inner), nn.SiLU(), nn.Conv2d(inner, outer, 3, padding=1))
        self.time = nn.Sequential(nn.SiLU(), nn.Linear(wide, outer))
        self.last = nn.Sequential(nn.GroupNorm(4, outer), nn.SiLU(), nn.Conv2d(outer, outer, 3, padding=1))
        self.past = nn.Conv2d(inner, outer, 1) if inner != outer else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        made = self.first(x) + self.time(time)[:, :, None, None]
        return self.past(x) + self.last(made)  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Pixels attend to pixels, by heads."""

    def __init__(self, channels: int, heads: int = 2) -> None:
        super().__init__()
        self.heads, self.norm = heads, nn.GroupNorm(4, channels)
        self.inner, self.outer = nn.Conv2d(channels, 3 * channels, 1), nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        rows = self.inner(self.norm(x)).view(batch, self.heads, -1, height * width).transpose(-1, -2)
        made = nn.functional.scaled_dot_product_attention(*rows.chunk(3, -1))
        return x + self.outer(made.transpose(-1, -2).reshape(batch, channels, height, width))  # type: ignore[no-any-return]


class UNet(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.width, wide = width, 4 * width
        self.time = nn.Sequential(nn.Linear(width, wide), nn.SiLU(), nn.Linear(wide, wide))
        self.inner, self.outer = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, 3, 3, padding=1)
        self.down1, self.down2 = Residual(width, width, wide), Residual(width, 2 * width, wide)
        self.smaller, self.up = nn.Conv2d(width, width, 3, 2, 1), nn.Upsample(scale_factor=2, mode="nearest")
        self.attention = Attention(2 * width)
        self.up2, self.up1 = Residual(2 * width, width, wide), Residual(2 * width, width, wide)
        self.norm = nn.GroupNorm(4, width)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        half = self.width // 2
        rates = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32) / half)
        waves = time[:, None].float() * rates[None]
        wide = self.time(torch.cat((waves.sin(), waves.cos()), -1))
        first = self.down1(self.inner(x), wide)
        deep = self.attention(self.down2(self.smaller(first), wide))
        made = torch.cat((self.up(self.up2(deep, wide)), first), 1)
        return self.outer(nn.functional.silu(self.norm(self.up1(made, wide))))  # type: ignore[no-any-return]


class KerasVgg(nn.Module):
    """Channels last, as Keras lays images out; each layer turns them and turns them back."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 8, 8, 16, 16)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths))
        self.dense = nn.Sequential(nn.Linear(16 * 4 * 4, 32), nn.ReLU(), nn.Linear(32, 10), nn.Softmax(-1))

    def forward(self, x: Tensor) -> Tensor:
        for n, layer in enumerate(self.layers):
            x = layer(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1).relu()
            if n % 2:
                x = nn.functional.max_pool2d(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
        return self.dense(x.reshape(x.shape[0], -1))  # type: ignore[no-any-return]
