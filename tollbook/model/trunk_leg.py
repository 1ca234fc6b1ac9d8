"""What one trunk leg did, for the statistics of gateways."""

import msgspec


class TrunkLeg(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The figures of one trunk leg of a finished call, each its own and not the call's.

    `pdd_ms`: from its creation until it rang, sent early media or was answered; None if it never did. `rx_mos`: of what
    the switch received from the carrier. An array to msgspec: `["carrier", 1, 1019, 4.5]` in the column `trunk_legs`.
    """

    gateway: str | None
    answered: int
    pdd_ms: int | None
    rx_mos: float | None
