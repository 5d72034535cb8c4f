"""The evaluation harness; it imports qa, never the reverse."""
