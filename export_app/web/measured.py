"""What the application leaves in a request's WSGI environment for the server, which counts requests."""

from typing import Final

#: The pattern of the address, as Flask knows it; missing where no resource has the address.
ROUTE: Final = "tollbook.route"
#: The code of the error that the response holds; missing in every other response.
ERROR_CODE: Final = "tollbook.error_code"
