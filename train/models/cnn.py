"""The two convolutional networks that the source documents train from scratch."""

from __future__ import annotations

from torch import nn

SMALL_CNN_WIDTHS = (16, 32, 64)
PLAIN_CNN_WIDTHS = (32, 64, 128, 256)


def small_cnn_body(channels: int, dropout: float) -> nn.Sequential:
    """The convolutions of "Deep Learning Brain Tumor Classifier Project", after its layer table.

    Three 3x3 convolutions, each halved by max pooling, dropout after the first two. With one
    channel of 224 px and the head ``[64, relu, norm, 16, relu, norm]`` for four classes the network
    has the 3,236,052 parameters of the table, in which Keras counts the norms' running statistics.
    The table names no activation; ReLU after each convolution is the tutorials' habit.
    """
    layers: list[nn.Module] = []
    for width in SMALL_CNN_WIDTHS:
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        if width != SMALL_CNN_WIDTHS[-1]:
            layers.append(nn.Dropout(dropout))
        channels = width
    return nn.Sequential(*layers, nn.Flatten())


def plain_cnn_body(channels: int, dropout: float) -> nn.Sequential:
    """The "rudimentary CNN" of "ResUNet and transfer learning", whose layers are not given.

    Four blocks of convolution, batch norm, ReLU and max pooling, then the mean of each map.
    """
    layers: list[nn.Module] = []
    for width in PLAIN_CNN_WIDTHS:
        layers += [
            nn.Conv2d(channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        ]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout))


def count_parameters(network: nn.Module) -> int:
    """Parameters as Keras counts them: the running means and variances of the norms included."""
    statistics = [b for n, b in network.named_buffers() if n.endswith(("_mean", "_var"))]
    return sum(t.numel() for t in [*network.parameters(), *statistics])
