"""Monitoring, made by code: alerts, objectives and dashboards from one table each, so that their numbers agree."""
