class Error:
    code: int
    reason: str
    body: str
