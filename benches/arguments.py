"""Kinds of arguments of the scripts, each with words for what is none."""
import argparse
import pathlib


def at_least(least):
    """A whole number from `least` on."""
    def number(text):
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text or 'nothing'} is no whole number from {least} on")
        return int(text)
    return number


def present(text):
    """A file that is there."""
    file = pathlib.Path(text)
    if not file.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return file


def to_write(text):
    """A file that can be written; asked now, since what would be lost later took minutes."""
    file = pathlib.Path(text)
    try:
        file.open("a").close()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text} cannot be written: {error}") from None
    return file


def among(known):
    """A list of some of what is known."""
    def names(text):
        chosen = text.split(",")
        unknown = [repr(name) for name in chosen if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}: choose among {', '.join(known)}")
        return chosen
    return names
