"""What is set of pyiceberg's own: apart from the catalog, because loading that takes a second and this nothing."""

from typing import Any, Final

from pyiceberg.utils.config import Config

CATALOG: Final = "tollbook"


def configured_properties() -> dict[str, Any]:
    """Return pyiceberg's own settings of the catalog: PYICEBERG_CATALOG__TOLLBOOK__…, or those of its file."""
    return dict(Config().get_catalog_config(CATALOG) or {})
