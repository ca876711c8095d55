//! What Fargate runs: which memory goes with which CPU.

/// CPU units that Fargate has; 1,024 are one core.
///
/// Source: Amazon ECS Developer Guide, "Task CPU and memory" for Fargate.
pub const FARGATE_CPUS: [u32; 7] = [256, 512, 1024, 2048, 4096, 8192, 16384];

/// Memory in MB that Fargate allows with `cpu` units, smallest first; empty for a CPU that it does not have.
///
/// Source: Amazon ECS Developer Guide, "Task CPU and memory" for Fargate.
pub fn fargate_memory(cpu: u32) -> Vec<u32> {
    const GB: u32 = 1024;
    let steps =
        |from: u32, to: u32, step: u32| (from..=to).step_by(step as usize).map(|gb| gb * GB).collect();
    match cpu {
        256 => vec![512, GB, 2 * GB],
        512 => steps(1, 4, 1),
        1024 => steps(2, 8, 1),
        2048 => steps(4, 16, 1),
        4096 => steps(8, 30, 1),
        8192 => steps(16, 60, 4),
        16384 => steps(32, 120, 8),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cpu_has_the_memory_of_aws_table() {
        let ends = FARGATE_CPUS.map(|cpu| {
            let memory = fargate_memory(cpu);
            (cpu, memory.len(), memory[0], memory[memory.len() - 1])
        });
        assert_eq!(
            ends,
            [
                (256, 3, 512, 2048),
                (512, 4, 1024, 4096),
                (1024, 7, 2048, 8192),
                (2048, 13, 4096, 16384),
                (4096, 23, 8192, 30720),
                (8192, 12, 16384, 61440),
                (16384, 12, 32768, 122_880),
            ]
        );
        assert!(fargate_memory(300).is_empty());
    }
}
