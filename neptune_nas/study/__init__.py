"""All trials of one question, on disk: what was asked, what came out, and how to go on."""
