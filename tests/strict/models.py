"""AWS's own service models, from botocore: which services there are, their operations and their shapes."""

import functools
from typing import Any

import botocore.loaders
import botocore.model
import botocore.serialize

# The name that a request is signed with, where botocore names the service otherwise.
NAMES = {"elasticloadbalancing": "elbv2", "states": "stepfunctions", "monitoring": "cloudwatch", "s3express": "s3"}

LOADER = botocore.loaders.Loader()


@functools.cache
def service(name: str) -> Any:
    """The model of a service by botocore's name; nothing where botocore has none."""
    try:
        return botocore.model.ServiceModel(LOADER.load_service_model(name, "service-2"), service_name=name)
    except botocore.exceptions.UnknownServiceError:
        return None


@functools.cache
def operation(service_name: str, name: str) -> Any:
    return service(service_name).operation_model(name)


@functools.cache
def operations(service_name: str) -> frozenset[str]:
    return frozenset(service(service_name).operation_names)


@functools.cache
def serializer(service_name: str) -> Any:
    return botocore.serialize.create_serializer(service(service_name).protocol)
