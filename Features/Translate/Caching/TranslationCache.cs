using System.Security.Cryptography;
using System.Text;
using ChatBackend.Features.Translate.Documents;
using ChatBackend.Features.Translate.Translating;
using ChatBackend.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace ChatBackend.Features.Translate.Caching;

/// <summary>Where a translation is kept. The same segment has the same key in each scope.</summary>
/// <param name="Scope">Who may read it.</param>
internal sealed record CacheSlot(string Scope, string Key);

/// <summary>
/// The translations that are stored in PostgreSQL. A segment is translated by whoever has claimed its row; all others wait for that, and take the
/// row over when the claim expires because its process has died. Every statement may run twice.
/// </summary>
internal sealed class TranslationCache(NpgsqlDataSource database)
{
    /// <summary>What all readers share. Only text that is in the book may be written here (<see cref="BookText"/>).</summary>
    public const string Book = "book";

    /// <summary>The key of a segment's translation: everything that the translation depends on.</summary>
    public static string KeyOf(Segment segment, TranslationTask task, string model) => KeyOf(
    [
        segment.Text, task.SourceLanguage, task.TargetLanguage, model, TranslationPrompt.Version,
        .. task.Glossary.In(segment.Text).SelectMany(term => (string?[])[term.Term, term.Translation]),
    ]);

    /// <summary>A hash of these parts, which may be null.</summary>
    public static string KeyOf(IReadOnlyList<string?> parts)
    {
        // The lengths keep ("ab", "c") apart from ("a", "bc").
        var text = string.Concat(parts.Select(part => part is null ? "-" : $"{part.Length}:{part}"));

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
    }

    /// <summary>The translations that are there.</summary>
    public async Task<Dictionary<CacheSlot, string>> FindAsync(IReadOnlyCollection<CacheSlot> slots, CancellationToken cancellationToken)
    {
        // A row is marked as used once a day, and requests for one page do not wait for each other's marks.
        var found = await QueryAsync<(string Scope, string Key, string Translation)>(
            """
            with found as materialized (
                select t.scope, t.key, t.translation, t.used_on
                from (select distinct scope, decode(key, 'hex') as key from unnest(@Scopes, @Keys) as a (scope, key)) as asked
                join translations t using (scope, key)
                where t.translation is not null
            ),
            old as (
                select t.scope, t.key from translations t join found using (scope, key)
                where found.used_on < current_date
                for no key update of t skip locked
            ),
            used as (
                update translations t set used_on = current_date from old where t.scope = old.scope and t.key = old.key
            )
            select scope, encode(key, 'hex'), translation from found
            """,
            new(slots), cancellationToken);

        return found.ToDictionary(f => new CacheSlot(f.Scope, f.Key), f => f.Translation);
    }

    /// <summary>Claims the slots that have no translation and that nobody else has claimed.</summary>
    public async Task<HashSet<CacheSlot>> ClaimAsync(IReadOnlyCollection<CacheSlot> slots, Guid owner, TimeSpan lease, CancellationToken cancellationToken)
    {
        // In one order: two requests for the same page would otherwise wait for each other for ever.
        var claimed = await QueryAsync<(string Scope, string Key)>(
            """
            insert into translations as t (scope, key, claimed_by, claimed_until)
            select distinct scope, decode(key, 'hex'), @Owner, now() + make_interval(secs => @Seconds) from unnest(@Scopes, @Keys) as a (scope, key)
            order by 1, 2
            on conflict (scope, key) do update set claimed_by = excluded.claimed_by, claimed_until = excluded.claimed_until
            where t.translation is null and (t.claimed_until < now() or t.claimed_by = @Owner)
            returning scope, encode(key, 'hex')
            """,
            new(slots) { Owner = owner, Seconds = lease.TotalSeconds }, cancellationToken);

        return [.. claimed.Select(c => new CacheSlot(c.Scope, c.Key))];
    }

    /// <summary>Keeps claims from expiring.</summary>
    public Task RenewAsync(IReadOnlyCollection<CacheSlot> slots, Guid owner, TimeSpan lease, CancellationToken cancellationToken) => ExecuteAsync(
        """
        update translations t set claimed_until = now() + make_interval(secs => @Seconds)
        from unnest(@Scopes, @Keys) as a (scope, key)
        where t.scope = a.scope and t.key = decode(a.key, 'hex') and t.claimed_by = @Owner
        """,
        new(slots) { Owner = owner, Seconds = lease.TotalSeconds }, cancellationToken);

    /// <summary>Stores the translations of claimed slots. One whose claim has expired is stored too, unless another was faster.</summary>
    public Task StoreAsync(IReadOnlyDictionary<CacheSlot, string> translations, CancellationToken cancellationToken) => ExecuteAsync(
        """
        with locked as materialized (
            select t.scope, t.key, a.translation
            from translations t join unnest(@Scopes, @Keys, @Texts) as a (scope, key, translation) on t.scope = a.scope and t.key = decode(a.key, 'hex')
            where t.translation is null
            order by t.scope, t.key
            for no key update of t
        )
        update translations t set translation = locked.translation, claimed_by = null, claimed_until = null
        from locked where t.scope = locked.scope and t.key = locked.key
        """,
        new([.. translations.Keys]) { Texts = [.. translations.Values] }, cancellationToken);

    /// <summary>Gives claims back, so that others need not wait until they expire.</summary>
    public Task ReleaseAsync(IReadOnlyCollection<CacheSlot> slots, Guid owner, CancellationToken cancellationToken) => ExecuteAsync(
        """
        delete from translations t using unnest(@Scopes, @Keys) as a (scope, key)
        where t.scope = a.scope and t.key = decode(a.key, 'hex') and t.claimed_by = @Owner
        """,
        new(slots) { Owner = owner }, cancellationToken);

    private Task<IEnumerable<T>> QueryAsync<T>(string sql, Parameters parameters, CancellationToken cancellationToken) => parameters.Keys.Length == 0
        ? Task.FromResult<IEnumerable<T>>([])
        : database.RetryAsync(connection => connection.QueryAsync<T>(new(sql, parameters, cancellationToken: cancellationToken)), cancellationToken);

    private Task ExecuteAsync(string sql, Parameters parameters, CancellationToken cancellationToken) => parameters.Keys.Length == 0
        ? Task.CompletedTask
        : database.RetryAsync(connection => connection.ExecuteAsync(new(sql, parameters, cancellationToken: cancellationToken)), cancellationToken);

    private sealed class Parameters(IReadOnlyCollection<CacheSlot> slots)
    {
        public string[] Scopes { get; } = [.. slots.Select(slot => slot.Scope)];

        public string[] Keys { get; } = [.. slots.Select(slot => slot.Key)];

        public string[] Texts { get; init; } = [];

        public Guid Owner { get; init; }

        public double Seconds { get; init; }
    }
}
