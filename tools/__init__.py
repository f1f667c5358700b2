"""What makes releases and pages, and is not shipped."""
