//! What must stand after the first command: the infrastructure guide, line by line, read with the clients
//! that any user of AWS has.

use std::collections::BTreeSet;

use crate::harness::Emulator;

/// Checks everything that `examples/arive.toml` asks for.
pub(crate) async fn check_reference_stack(emulator: &Emulator) {
    network(emulator).await;
    ingress(emulator).await;
    domain(emulator).await;
    database(emulator).await;
    storage(emulator).await;
    services(emulator).await;
    roles(emulator).await;
}

fn ours() -> aws_sdk_ec2::types::Filter {
    aws_sdk_ec2::types::Filter::builder().name("tag:stepstack:stack").values("arive/production").build()
}

async fn network(emulator: &Emulator) {
    let ec2 = aws_sdk_ec2::Client::new(&emulator.config());
    let vpcs = ec2.describe_vpcs().filters(ours()).send().await.expect("VPCs");
    let cidrs: Vec<_> = vpcs.vpcs().iter().filter_map(|vpc| vpc.cidr_block()).collect();
    assert_eq!(cidrs, ["10.0.0.0/16"]);

    let subnets = ec2.describe_subnets().filters(ours()).send().await.expect("subnets");
    let cidrs: BTreeSet<_> = subnets.subnets().iter().filter_map(|subnet| subnet.cidr_block()).collect();
    assert_eq!(cidrs, BTreeSet::from(["10.0.1.0/24", "10.0.11.0/24", "10.0.12.0/24", "10.0.2.0/24"]));
    let zones: BTreeSet<_> =
        subnets.subnets().iter().filter_map(|subnet| subnet.availability_zone()).collect();
    assert_eq!(zones.len(), 2);

    let gateways = ec2.describe_internet_gateways().filters(ours()).send().await.expect("internet gateways");
    assert_eq!(gateways.internet_gateways().len(), 1);
    assert_eq!(gateways.internet_gateways()[0].attachments().len(), 1);

    let nats = ec2.describe_nat_gateways().filter(ours()).send().await.expect("NAT gateways");
    let live = nats
        .nat_gateways()
        .iter()
        .filter(|nat| nat.state().is_some_and(|state| state.as_str() == "available"));
    assert_eq!(live.count(), 1, "one NAT gateway in this example");

    let tables = ec2.describe_route_tables().filters(ours()).send().await.expect("route tables");
    let default_routes = tables
        .route_tables()
        .iter()
        .flat_map(|table| table.routes())
        .filter(|route| route.destination_cidr_block() == Some("0.0.0.0/0"));
    let targets: Vec<_> = default_routes
        .map(|route| {
            (route.gateway_id().is_some_and(|id| id.starts_with("igw-")), route.nat_gateway_id().is_some())
        })
        .collect();
    assert_eq!(
        targets.iter().filter(|(igw, _)| *igw).count(),
        1,
        "the public table leads to the internet gateway"
    );
    assert_eq!(
        targets.iter().filter(|(_, nat)| *nat).count(),
        2,
        "both private tables lead to the NAT gateway"
    );

    let endpoints = ec2.describe_vpc_endpoints().filters(ours()).send().await.expect("endpoints");
    let gateways: Vec<_> = endpoints
        .vpc_endpoints()
        .iter()
        .filter(|one| one.service_name().is_some_and(|name| name == "com.amazonaws.us-east-1.s3"))
        .collect();
    assert_eq!(gateways.len(), 1);
    assert_eq!(gateways[0].route_table_ids().len(), 2, "the S3 endpoint is on both private tables");

    security_groups(&ec2).await;
}

/// `direction group ports peer`, for each rule of our groups.
async fn security_groups(ec2: &aws_sdk_ec2::Client) {
    let groups = ec2.describe_security_groups().filters(ours()).send().await.expect("security groups");
    let name = |id: &str| {
        let group = groups.security_groups().iter().find(|group| group.group_id() == Some(id));
        let tags = group.map(|group| group.tags()).unwrap_or_default();
        let tag = tags.iter().find(|tag| tag.key() == Some("stepstack:name")).and_then(|tag| tag.value());
        tag.map_or(id.to_owned(), |name| name.trim_start_matches("security-group/").to_owned())
    };
    let mut rules = BTreeSet::new();
    for group in groups.security_groups() {
        let id = group.group_id().expect("an id");
        let filter = aws_sdk_ec2::types::Filter::builder().name("group-id").values(id).build();
        let found = ec2.describe_security_group_rules().filters(filter).send().await.expect("rules");
        for rule in found.security_group_rules() {
            let direction = if rule.is_egress() == Some(true) { "out of" } else { "into" };
            let peer = rule.cidr_ipv4().map(str::to_owned);
            let peer = peer
                .or_else(|| rule.referenced_group_info().and_then(|info| info.group_id()).map(name))
                .unwrap_or_default();
            let ports = match rule.from_port() {
                Some(port) if rule.ip_protocol() != Some("-1") => port.to_string(),
                _ => "all".to_owned(),
            };
            assert!(
                rule.description().is_some_and(|text| !text.is_empty()),
                "every rule is described: {rule:?}"
            );
            rules.insert(format!("{direction} {} {ports} {peer}", name(id)));
        }
    }
    let expected = [
        "into database 5432 service-api",
        "into database 5432 service-worker",
        "into load-balancer 443 0.0.0.0/0",
        "into load-balancer 80 0.0.0.0/0",
        "into service-api 8000 load-balancer",
        "out of load-balancer 8000 service-api",
        "out of service-api all 0.0.0.0/0",
        "out of service-worker all 0.0.0.0/0",
    ];
    assert_eq!(rules, expected.map(str::to_owned).into_iter().collect());
}

async fn ingress(emulator: &Emulator) {
    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&emulator.config());
    let balancers = elb.describe_load_balancers().send().await.expect("load balancers");
    let [balancer] = balancers.load_balancers() else { panic!("one load balancer: {balancers:?}") };
    assert_eq!(balancer.availability_zones().len(), 2);
    let listeners = elb
        .describe_listeners()
        .load_balancer_arn(balancer.load_balancer_arn().expect("an ARN"))
        .send()
        .await
        .expect("listeners");
    let ports: BTreeSet<_> = listeners.listeners().iter().filter_map(|listener| listener.port()).collect();
    assert_eq!(ports, BTreeSet::from([80, 443]));
    let secure = listeners.listeners().iter().find(|listener| listener.port() == Some(443)).expect("HTTPS");
    assert_eq!(secure.ssl_policy(), Some("ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"));
    assert_eq!(secure.certificates().len(), 1);
    let groups = elb.describe_target_groups().send().await.expect("target groups");
    let [group] = groups.target_groups() else { panic!("one target group: {groups:?}") };
    assert_eq!((group.port(), group.health_check_path()), (Some(8000), Some("/health")));
}

async fn domain(emulator: &Emulator) {
    let route53 = aws_sdk_route53::Client::new(&emulator.config());
    let zones = route53.list_hosted_zones().send().await.expect("zones");
    let [zone] = zones.hosted_zones() else { panic!("one zone: {zones:?}") };
    assert_eq!(zone.name(), "tryarive.com.");
    let records =
        route53.list_resource_record_sets().hosted_zone_id(zone.id()).send().await.expect("records");
    let kinds: Vec<String> = records
        .resource_record_sets()
        .iter()
        .map(|record| format!("{} {}", record.r#type().as_str(), record.name()))
        .collect();
    assert!(kinds.contains(&"A api.tryarive.com.".to_owned()), "{kinds:?}");
    assert!(kinds.iter().any(|kind| kind.starts_with("CNAME _")), "the validation record: {kinds:?}");
    let acm = aws_sdk_acm::Client::new(&emulator.config());
    let certificates = acm.list_certificates().send().await.expect("certificates");
    let [certificate] = certificates.certificate_summary_list() else {
        panic!("one certificate: {certificates:?}")
    };
    assert_eq!(certificate.domain_name(), Some("api.tryarive.com"));
}

async fn database(emulator: &Emulator) {
    let rds = aws_sdk_rds::Client::new(&emulator.config());
    let clusters = rds.describe_db_clusters().send().await.expect("clusters");
    let [cluster] = clusters.db_clusters() else { panic!("one cluster: {clusters:?}") };
    assert_eq!(cluster.db_cluster_identifier(), Some("arive-production-1"));
    assert_eq!(cluster.engine(), Some("aurora-postgresql"));
    assert!(
        cluster.engine_version().is_some_and(|version| version.starts_with("15.") && version != "15.4"),
        "{:?}",
        cluster.engine_version()
    );
    assert_eq!((cluster.database_name(), cluster.master_username()), (Some("arive"), Some("postgres")));
    assert_eq!((cluster.storage_encrypted(), cluster.deletion_protection()), (Some(true), Some(true)));
    assert_eq!(cluster.backup_retention_period(), Some(7));
    let scaling = cluster.serverless_v2_scaling_configuration().expect("Serverless v2");
    assert_eq!((scaling.min_capacity(), scaling.max_capacity()), (Some(0.5), Some(4.0)));
    assert_eq!(cluster.db_cluster_members().len(), 1);

    let secrets = aws_sdk_secretsmanager::Client::new(&emulator.config());
    let value = |name: &str| secrets.get_secret_value().secret_id(format!("arive/production/{name}")).send();
    let password =
        value("database-password").await.expect("the password").secret_string().expect("a text").to_owned();
    assert_eq!(password.len(), 32);
    assert!(password.chars().all(|c| c.is_ascii_alphanumeric()), "letters and digits");
    let url = value("database-url").await.expect("the URL").secret_string().expect("a text").to_owned();
    assert!(
        url.starts_with(&format!("postgresql://postgres:{password}@")) && url.ends_with("/arive"),
        "the URL has the password in it"
    );
    assert!(!url.contains("sslmode"), "asyncpg refuses it");
}

async fn storage(emulator: &Emulator) {
    let s3 = emulator.s3();
    let bucket = "arive-uploads-production";
    let versioning = s3.get_bucket_versioning().bucket(bucket).send().await.expect("versioning");
    assert_eq!(versioning.status().map(|status| status.as_str()), Some("Enabled"));
    let access = s3.get_public_access_block().bucket(bucket).send().await.expect("public access block");
    let access = access.public_access_block_configuration().expect("a configuration");
    let all = [
        access.block_public_acls(),
        access.block_public_policy(),
        access.ignore_public_acls(),
        access.restrict_public_buckets(),
    ];
    assert_eq!(all, [Some(true); 4]);
    let cors = s3.get_bucket_cors().bucket(bucket).send().await.expect("CORS");
    let [rule] = cors.cors_rules() else { panic!("one rule: {cors:?}") };
    assert_eq!(rule.allowed_origins(), ["https://tryarive.com"]);
    assert_eq!(rule.allowed_methods(), ["GET", "PUT", "POST"]);
    assert_eq!(rule.max_age_seconds(), Some(3000));
    let ecr = aws_sdk_ecr::Client::new(&emulator.config());
    let repositories = ecr.describe_repositories().send().await.expect("repositories");
    assert_eq!(
        repositories.repositories().iter().filter_map(|one| one.repository_name()).collect::<Vec<_>>(),
        ["arive/production"]
    );
}

async fn services(emulator: &Emulator) {
    let ecs = aws_sdk_ecs::Client::new(&emulator.config());
    let services = ecs
        .describe_services()
        .cluster("arive-production")
        .services("api")
        .services("worker")
        .send()
        .await
        .expect("services");
    assert_eq!(services.services().len(), 2, "{services:?}");
    let mut images = BTreeSet::new();
    for service in services.services() {
        let name = service.service_name().expect("a name");
        assert_eq!((service.desired_count(), service.running_count()), (1, 1), "{name}");
        assert_eq!(service.load_balancers().len(), usize::from(name == "api"), "{name}");
        let network = service
            .network_configuration()
            .and_then(|network| network.awsvpc_configuration())
            .expect("a network");
        assert_eq!(network.assign_public_ip().map(|assign| assign.as_str()), Some("DISABLED"), "{name}");
        let definition = ecs
            .describe_task_definition()
            .task_definition(service.task_definition().expect("an ARN"))
            .send()
            .await;
        let definition = definition.expect("a definition").task_definition().expect("a definition").clone();
        assert_eq!((definition.cpu(), definition.memory()), (Some("256"), Some("512")), "{name}");
        let [container] = definition.container_definitions() else { panic!("one container") };
        let command: Vec<&str> = container.command().iter().map(String::as_str).collect();
        let expected: &[&str] = if name == "api" {
            &["litestar", "run", "--host", "0.0.0.0"]
        } else {
            &["litestar", "workers", "run"]
        };
        assert_eq!(command, expected);
        images.insert(container.image().expect("an image").to_owned());
        let environment: BTreeSet<&str> =
            container.environment().iter().filter_map(|pair| pair.name()).collect();
        for key in ["ENV", "AWS_REGION", "S3_BUCKET", "PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGSSLMODE"]
        {
            assert!(environment.contains(key), "{name} gets {key}");
        }
        let secrets: BTreeSet<&str> = container.secrets().iter().map(|secret| secret.name()).collect();
        assert_eq!(secrets, BTreeSet::from(["DATABASE_URL", "PGPASSWORD"]), "{name}");
        assert_eq!(container.readonly_root_filesystem(), Some(true));
    }
    assert_eq!(images.len(), 1, "both run the same image");
    assert!(images.iter().all(|image| image.contains("@sha256:")), "pinned by digest: {images:?}");
    let logs = aws_sdk_cloudwatchlogs::Client::new(&emulator.config());
    let groups = logs
        .describe_log_groups()
        .log_group_name_prefix("/ecs/arive-production-")
        .send()
        .await
        .expect("log groups");
    let kept: Vec<_> = groups.log_groups().iter().map(|group| group.retention_in_days()).collect();
    assert_eq!(kept, [Some(7), Some(7)]);
}

async fn roles(emulator: &Emulator) {
    let iam = aws_sdk_iam::Client::new(&emulator.config());
    let roles = iam.list_roles().path_prefix("/stepstack/arive/").send().await.expect("roles");
    assert!(roles.roles().len() > 8, "the engine's and the stack's");
    for role in roles.roles() {
        let policies = iam.list_role_policies().role_name(role.role_name()).send().await.expect("policies");
        for policy in policies.policy_names() {
            let document = iam
                .get_role_policy()
                .role_name(role.role_name())
                .policy_name(policy)
                .send()
                .await
                .expect("a policy");
            let text = document.policy_document().to_owned();
            let wild: Vec<String> =
                actions(&text).into_iter().filter(|action| action.contains('*')).collect();
            assert_eq!(wild, Vec::<String>::new(), "{} has wildcard actions", role.role_name());
        }
    }
}

/// All actions of a policy document.
fn actions(document: &str) -> Vec<String> {
    // As IAM returns it: percent-encoded.
    let text = percent_encoding::percent_decode_str(document).decode_utf8().expect("a policy is text");
    let value: serde_json::Value = serde_json::from_str(&text).expect("a policy is JSON");
    let statements = value["Statement"].as_array().cloned().unwrap_or_default();
    let one = |statement: &serde_json::Value| match &statement["Action"] {
        serde_json::Value::String(action) => vec![action.clone()],
        serde_json::Value::Array(list) => {
            list.iter().filter_map(|action| action.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    };
    statements.iter().flat_map(one).collect()
}
