"""What programs and plug-ins test with: a clock that stands, a driver conformance suite."""
