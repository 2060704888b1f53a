"""One file per noun: parse, call one function on a client, emit."""
