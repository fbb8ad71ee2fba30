namespace ChatBackend.Infrastructure.Database;

/// <summary>Marks an endpoint that answers also while the database is not migrated yet.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class NeedsNoDatabaseAttribute : Attribute;
