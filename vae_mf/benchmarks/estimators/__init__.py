"""Estimators of total correlations, one file each: functions of rows that return nats with an error."""
