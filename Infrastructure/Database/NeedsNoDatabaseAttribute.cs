namespace ChatBackend.Infrastructure.Database;

/// <summary>Marks an endpoint that answers even before the database is migrated.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class NeedsNoDatabaseAttribute : Attribute;
