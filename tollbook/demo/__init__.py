"""`tollbook demo`: all of Tollbook on this machine, with real processes and a simulated switch."""
