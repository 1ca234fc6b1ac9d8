"""`python -m esl_listener`: the listener without the other commands."""

from esl_listener.cli import listen

if __name__ == "__main__":
    listen()
