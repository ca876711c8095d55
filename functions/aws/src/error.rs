//! What an SDK error means: the one place where AWS's error codes are turned into [`ErrorKind`]s.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use statemachine::resource::Gone;
use statemachine::{Error, ErrorKind, Result};

/// Turns the error of a call into ours. `action` is the call's IAM action:
/// `.map_err(failed("ec2:CreateSubnet"))`.
pub fn failed<E>(action: &'static str) -> impl FnOnce(SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error,
{
    move |error| {
        let operation = action.split_once(':').map_or(action, |(_, operation)| operation);
        let (kind, code, said) = match &error {
            SdkError::ServiceError(context) => {
                let code = context.err().code().unwrap_or("").to_owned();
                let said = context.err().message().unwrap_or("no message").to_owned();
                let status = context.raw().status().as_u16();
                (kind_of(&code, &said, status), code, said)
            }
            SdkError::TimeoutError(_) => {
                (ErrorKind::Transient, "Timeout".to_owned(), "no answer in time".to_owned())
            }
            SdkError::DispatchFailure(failure) => {
                (ErrorKind::Transient, "NoConnection".to_owned(), source_of(failure.as_connector_error()))
            }
            SdkError::ResponseError(context) => {
                let status = context.raw().status().as_u16();
                (
                    kind_of("", "", status),
                    format!("HTTP {status}"),
                    "an answer that cannot be read".to_owned(),
                )
            }
            SdkError::ConstructionFailure(_) => {
                (ErrorKind::Invalid, "Construction".to_owned(), format!("{:?}", error.as_service_error()))
            }
            _ => (ErrorKind::Internal, "Unknown".to_owned(), error.to_string()),
        };
        Error {
            kind,
            message: format!("{operation} failed: {said} ({code})"),
            action: Some(action),
            code: Some(code),
        }
    }
}

fn source_of(error: Option<&(impl std::error::Error + ?Sized)>) -> String {
    let Some(error) = error else { return "no connection".to_owned() };
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// The meaning of an error code, with AWS's message where the code says too little (aws-facts.md section 2).
pub fn kind_of(code: &str, message: &str, status: u16) -> ErrorKind {
    let says = |words: &str| message.contains(words);
    match code {
        "Throttling" | "ThrottlingException" | "ThrottledException" | "RequestThrottled" | "RequestThrottledException"
        | "RequestLimitExceeded" | "TooManyRequestsException" | "SlowDown" | "PriorRequestNotComplete" | "ServerException"
        | "OperationAborted" | "ConditionalRequestConflict" | "ConcurrentModification" | "ConcurrentModificationException"
        | "ServiceUnavailable" | "ServiceUnavailableException" | "InternalError" | "InternalFailure" | "InternalServerError"
        | "InternalServiceError" | "RequestTimeout" | "RequestTimeoutException" | "EntityTemporarilyUnmodifiable"
        | "EntityTemporarilyUnmodifiableException" | "ServiceLinkedRoleFailure" | "UpdateInProgressException"
        // The secret's or cluster's last change is still under way.
        | "OperationNotPermitted.InProgress" => ErrorKind::Transient,
        "DependencyViolation" | "ResourceInUse" | "ResourceInUseException" | "DeleteConflict" | "DeleteConflictException"
        | "IncorrectState" | "InvalidState" | "InvalidDBClusterStateFault" | "InvalidDBInstanceState"
        | "InvalidDBInstanceStateFault" | "InvalidDBSubnetGroupStateFault" | "InvalidDBParameterGroupState"
        | "InvalidDBParameterGroupStateFault" | "ClusterContainsServicesException" | "ClusterContainsTasksException"
        | "InvalidIPAddress.InUse" | "ServiceNotActiveException" | "InvalidDBClusterSnapshotStateFault"
        | "InvalidAddress.InUse" => ErrorKind::NotReady,
        "InvalidParameterException" if says("still Draining") => ErrorKind::NotReady,
        "InvalidParameterException" | "InvalidParameterValueException" | "ValidationException" | "ValidationError"
        | "InvalidParameterValue" | "InvalidParameter" | "ClientException" | "AccessDeniedException" | "MalformedPolicyDocument"
            if is_propagating(message) =>
        {
            ErrorKind::Propagating
        }
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "UnauthorizedException" | "AuthorizationError"
        | "AuthFailure" | "NotAuthorized" | "ExpiredToken" | "ExpiredTokenException" | "InvalidClientTokenId"
        | "UnrecognizedClientException" | "SignatureDoesNotMatch" => ErrorKind::Denied,
        "FreeTierRestrictionError" | "ServiceQuotaExceededException" => ErrorKind::Quota,
        code if code.contains("LimitExceeded") || code.contains("QuotaExceeded") || code.starts_with("TooMany") => ErrorKind::Quota,
        code if code.contains("NotFound") || code.starts_with("NoSuch") || code.ends_with("NotFoundFault") => ErrorKind::Missing,
        "ServiceNotFoundException" | "ClusterNotFoundException" | "ResourceDoesNotExist" => ErrorKind::Missing,
        code if code.contains("AlreadyExists") || code.contains("Duplicate") => ErrorKind::Exists,
        "EntityAlreadyExists" | "BucketAlreadyOwnedByYou" | "ResourceExistsException" | "InvalidGroup.InUse" => ErrorKind::Exists,
        _ if status >= 500 => ErrorKind::Transient,
        _ if status == 429 => ErrorKind::Transient,
        _ if status == 404 => ErrorKind::Missing,
        _ if status == 403 => ErrorKind::Denied,
        _ => ErrorKind::Invalid,
    }
}

/// The exact words with which services say that they cannot see a role yet (aws-facts.md section 2, row 1).
fn is_propagating(message: &str) -> bool {
    [
        "Unable to assume role",
        "Unable to assume given IAM role",
        "unable to assume the role",
        "cannot be assumed by",
        "is authorized to assume the provided role",
        "is not authorized to access the Log Destination",
        "ECS was unable to assume the role",
        "Invalid principal in policy",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// The outcome of a delete: what does not exist is gone.
pub fn gone<T>(result: Result<T>, gone: Gone) -> Result<Gone> {
    match result {
        Ok(_) => Ok(gone),
        Err(error) if error.kind == ErrorKind::Missing => Ok(Gone::Now),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_loop_acts_on() {
        let kind = |code| kind_of(code, "", 400);
        assert_eq!(kind("InvalidSubnetID.NotFound"), ErrorKind::Missing);
        assert_eq!(kind("NoSuchEntity"), ErrorKind::Missing);
        assert_eq!(kind("DependencyViolation"), ErrorKind::NotReady);
        assert_eq!(kind("VpcLimitExceeded"), ErrorKind::Quota);
        assert_eq!(kind("RequestLimitExceeded"), ErrorKind::Transient);
        assert_eq!(kind("TooManyRequestsException"), ErrorKind::Transient);
        assert_eq!(kind("EntityAlreadyExists"), ErrorKind::Exists);
        assert_eq!(kind("DBClusterAlreadyExistsFault"), ErrorKind::Exists);
        assert_eq!(kind("UnauthorizedOperation"), ErrorKind::Denied);
        assert_eq!(kind("InvalidParameterValue"), ErrorKind::Invalid);
        assert_eq!(kind_of("", "", 503), ErrorKind::Transient);
    }

    #[test]
    fn a_role_that_is_not_visible_yet_is_told_from_a_wrong_request() {
        let message = "The role defined for the function cannot be assumed by Lambda.";
        assert_eq!(kind_of("InvalidParameterValueException", message, 400), ErrorKind::Propagating);
        assert_eq!(kind_of("InvalidParameterValueException", "Bad value", 400), ErrorKind::Invalid);
        let flow_log = "Unable to assume given IAM role";
        assert_eq!(kind_of("InvalidParameter", flow_log, 400), ErrorKind::Propagating);
    }
}
