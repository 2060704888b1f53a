"""The SDK specification as tests."""
