"""A FreeSWITCH for tests, ours and our users': plays recorded calls to Event Socket clients, over real TCP.

As a process, here with a new call every half second on port 8021, password ClueCon:

    python -m tollbook.simulator --play outbound_answered queue_abandoned --rate 2 --loop

In a test, on a free port, driven by plain calls:

    from tollbook.simulator.recording import load_all
    from tollbook.simulator.thread import SwitchThread

    with SwitchThread() as switch:
        ...  # start what is tested, with the address `switch.url`
        switch.wait_for_subscriber()
        switch.play(load_all(["outbound_answered"]))

Each call is a fresh copy of its recording: new ids, and times that begin now. A recording is a folder, as described in
CONTRIBUTING.md. Some are shipped, in `recordings/`; `recording.load` reads your own.
"""
