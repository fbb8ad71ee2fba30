using System.Runtime.CompilerServices;
using Npgsql;

namespace ChatBackend.Infrastructure.Database;

/// <summary>Says when this process uses a database. Background work that would otherwise wake a suspended database can be done then.</summary>
internal sealed class DatabaseUse
{
    private static readonly ConditionalWeakTable<NpgsqlDataSource, DatabaseUse> All = [];

    /// <summary>Raised after a statement has run, on the thread of its caller: handlers must be quick.</summary>
    public event EventHandler? Used;

    public static DatabaseUse Of(NpgsqlDataSource database) => All.GetOrCreateValue(database);

    public void Note() => Used?.Invoke(this, EventArgs.Empty);
}
