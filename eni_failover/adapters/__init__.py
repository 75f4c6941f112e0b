"""One outside system a file: translate, time out, map errors. No policy."""
