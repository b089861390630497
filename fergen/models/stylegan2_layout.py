"""The sizes of StyleGAN2's blocks: resolutions, channels, and which of them compute in half precision."""

from dataclasses import dataclass

from fergen.core.errors import BadInput

# How images and features pass from block to block: images of all resolutions added up (skip), the last block's alone
# (orig), or that with features added up (resnet). Karras et al. 2020 (arXiv:1912.04958), section 4.1, figure 7.
ARCHITECTURES = ("skip", "orig", "resnet")


@dataclass(frozen=True)
class Layout:
    """Blocks from the lowest resolution to the image's.

    Attributes:
        sizes: resolution of each.
        channels: of each one's features.
        colours: channels of images.
        half: whether each computes in the lower precision.
    """

    sizes: tuple[int, ...]
    channels: tuple[int, ...]
    colours: int
    half: tuple[bool, ...]

    @classmethod
    def of(cls, image: tuple[int, int, int], *, channel_base: int, channel_max: int, num_fp16_res: int) -> "Layout":
        """Lay out the blocks for images.

        A block has the channels that one at the same place has where the lowest resolution is 4, so that their numbers
        are the powers of two that hardware likes, whatever the base.

        Args:
            image: height, width and channels.
            channel_base: channels times resolution.
            channel_max: channels.
            num_fp16_res: blocks that compute in the lower precision, counted from the highest resolution; the lowest
                never.

        Raises:
            BadInput: the image is not square, or too small.
        """
        height, width, colours = image
        size = height
        while size % 2 == 0 and size // 2 >= 3:
            size //= 2
        if height != width or size == height or size > 7:
            raise BadInput(
                f"model stylegan2: expected square images of 3, 4, 5 or 7 x 2^k pixels, as 32, 48 or 64; found"
                f" {height}x{width}"
            )
        sizes = [size]
        while sizes[-1] < height:
            sizes.append(2 * sizes[-1])
        channels = tuple(min(channel_base // (4 << level), channel_max) for level in range(len(sizes)))
        if min(channels) < 1:
            raise BadInput(f"model stylegan2: channel_base={channel_base} leaves no channel at {height} pixels")
        first = max(len(sizes) - num_fp16_res, 1)
        return cls(tuple(sizes), channels, colours, tuple(level >= first for level in range(len(sizes))))

    @property
    def noise_sizes(self) -> tuple[int, ...]:
        """Resolutions of the layers that take noise, in their order: one of the first block, two of each other."""
        return self.sizes[:1] + tuple(size for size in self.sizes[1:] for _ in range(2))

    @property
    def styles(self) -> int:
        """Number of styles: one for each layer that takes noise, and the last one's colours'."""
        return len(self.noise_sizes) + 1
