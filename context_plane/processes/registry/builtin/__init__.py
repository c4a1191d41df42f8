"""Built-in actions and gates, one subject a file, written as anybody writes theirs (docs/actions.md)."""
