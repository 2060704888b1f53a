"""The dashboard: app, screens, widgets and the state they show."""
