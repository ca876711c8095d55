"""What AWS does and MiniStack 1.5.33 does not, one module a service."""

from corrections import acm, application_autoscaling, ec2, ecr, ecs, elb, iam, iam_enforcement, rds, s3, secretsmanager
from corrections.register import ALL

__all__ = ["ALL"]
