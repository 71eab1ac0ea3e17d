"""A challenger's scores of the decisions that the champion takes, made beside the service and answered to nobody."""
