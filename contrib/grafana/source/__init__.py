"""The dashboards in contrib/grafana, made from here: `make dashboards`."""
