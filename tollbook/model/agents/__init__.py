"""What mod_callcenter says of its agents, and what their time comes to. No I/O."""
