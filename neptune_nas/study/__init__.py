"""All trials of one question, on disk: what was asked, what came out, and all that follows."""
