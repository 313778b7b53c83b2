"""Work that is broken off after some of its blocks."""


class Interrupted(Exception):
    """The work was broken off."""


def after(blocks):
    """A progress bar that fails once ``blocks`` blocks are done."""

    def progress(iterable):
        for done, block in enumerate(iterable):
            if done == blocks:
                raise Interrupted
            yield block

    return progress
