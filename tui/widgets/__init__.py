"""The dashboard's own widgets: light ones, that write only the cells that changed."""
