"""OData for connectors. Import from the modules: `client`, `query`, `literals`, `batch`, `metadata`."""
