"""`/v1/...`: what customers' programs call. The file is named after the URL."""
