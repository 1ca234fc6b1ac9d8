"""Where Prometheus reads the metrics of a process that runs all the time."""

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

from tollbook.errors import SettingsError
from tollbook.setting_values import Bind


def serve_metrics(registry: CollectorRegistry, bind: Bind | None, setting: str) -> None:
    """Serve a registry and the process' own CPU, memory and files on an address, in the background; None: nowhere.

    `setting` names the address in the SettingsError that is raised when nobody can listen there. Whoever reaches it may
    read it: it asks for no key, and holds no number, name or account.
    """
    if bind is None:
        return
    ProcessCollector(registry=registry)
    try:
        start_http_server(bind.port, bind.host, registry=registry)
    except OSError as error:
        raise SettingsError(f"{setting}={bind}: {error.strerror}; choose a free local address") from error
