"""What is called as long work goes on."""


def ignore(*_: object) -> None:
    """Watch nothing, whatever there is to see."""
