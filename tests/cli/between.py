# SPDX-License-Identifier: GPL-2.0-only
"""between.py IMAGE STATE0 STATE1 ..: is the image between two neighbouring states?

True if for some k each sector is as in state k or as in state k + 1; of a sector that is half written, each half.
"""
import sys

HALF = 256
image, *states = [open(name, "rb").read() for name in sys.argv[1:]]
pieces = range(0, len(image), HALF)
for before, after in zip(states, states[1:]):
    if all(image[at:at + HALF] in (before[at:at + HALF], after[at:at + HALF]) for at in pieces):
        sys.exit(0)
sys.exit("the image is between no two neighbouring states")
