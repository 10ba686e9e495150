"""The public site: pages from Markdown and the live catalogue, each with a twin for programs."""
