"""The Repowright MCP server: everything a client or an operator touches."""
