"""The assistant over HTTP and MCP, for programs; the chat page is served by the same application.

FastAPI and the MCP package are loaded when a server is started, not when this package is imported.
"""
