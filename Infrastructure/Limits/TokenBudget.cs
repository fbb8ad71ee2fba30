using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http.Problems;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Infrastructure.Limits;

/// <summary>Who the tokens of a request are counted for.</summary>
/// <param name="Day">In UTC, as 2026-11-21: work that ends after midnight counts for the day on which it began.</param>
/// <param name="Client">A hash with the salt of the day: neither a subject nor an address is stored.</param>
internal sealed record TokenAccount(string Day, string Client);

/// <summary>The tokens that models may use in a day, over all replicas: of the service, and of a client. The days are those of
/// <see cref="TimeProvider"/>.</summary>
/// <remarks>Work that has begun is never cut off, so a budget may be exceeded by what runs at that moment. Embeddings are not counted.</remarks>
internal sealed class TokenBudget(NpgsqlDataSource database, IOptions<BudgetOptions> options, TimeProvider time, ILogger<TokenBudget> log)
{
    /// <summary>True in a statement with <see cref="Limits"/> and the account's day and client as its parameters, if a budget is spent.</summary>
    public const string IsSpent =
        """
        (
            select coalesce(sum(tokens) filter (where client = ''), 0) >= @ServiceTokens
                or coalesce(sum(tokens) filter (where client = @Client), 0) >= @ClientTokens
            from token_usage
            where day = @Day::date and client in ('', @Client)
        )
        """;

    /// <summary>Adds the tokens of a relation named <c>used</c> (day, client, tokens), for the client and for the service. The order avoids deadlocks.</summary>
    public const string Add =
        """
        insert into token_usage as usage (day, client, slot, tokens)
        select day, client, @Slot, sum(tokens)
        from (select day, client, tokens from used union all select day, '', tokens from used) as both_of
        where day is not null and client is not null
        group by day, client
        having sum(tokens) <> 0
        order by day, client
        on conflict (day, client, slot) do update set tokens = usage.tokens + excluded.tokens
        """;

    /// <summary>Adds the tokens of one account (<c>@Day</c>, <c>@Client</c>), as <see cref="Add"/> does. <c>used</c> has one column, tokens, and at most one row.</summary>
    public const string AddToOne =
        """
        insert into token_usage as usage (day, client, slot, tokens)
        select @Day::date, account.client, @Slot, used.tokens
        from used, (values (''), (@Client)) as account (client)
        where used.tokens <> 0 and @Day::date is not null and account.client is not null
        on conflict (day, client, slot) do update set tokens = usage.tokens + excluded.tokens
        """;

    /// <summary>More than a process has connections, so that its own counts never wait for each other.</summary>
    private const int Slots = 32;

    private static int _slot = Random.Shared.Next(Slots);

    // One reference, so that no request sees a day with the salt of another.
    private Today _today = new("", []);

    public long ServiceTokens => options.Value.Service is > 0 and var tokens ? tokens : long.MaxValue;

    public long ClientTokens => options.Value.PerClient is > 0 and var tokens ? tokens : long.MaxValue;

    /// <summary>True if the book is quoted once a budget is spent.</summary>
    public bool HasFallback => options.Value.Fallback == "offline";

    /// <summary>A value for <c>@Slot</c> of <see cref="Add"/> and <see cref="AddToOne"/>.</summary>
    public static short NewSlot() => (short)((uint)Interlocked.Increment(ref _slot) % Slots);

    public async ValueTask<TokenAccount> AccountOfAsync(HttpContext context, CancellationToken cancellationToken)
    {
        var day = time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        var today = _today;
        if (today.Day != day)
            _today = today = new(day, await BeginAsync(day, cancellationToken));
        return new(day, Convert.ToHexStringLower(HMACSHA256.HashData(today.Salt, Encoding.UTF8.GetBytes(ClientKey.Of(context))).AsSpan(0, 16)));
    }

    /// <summary>For work without a statement of its own at its start.</summary>
    public Task<bool> IsSpentAsync(TokenAccount account, CancellationToken cancellationToken) => database.RetryAsync(
        connection => connection.ExecuteScalarAsync<bool>(new(
            "select " + IsSpent, new { account.Day, account.Client, ServiceTokens, ClientTokens }, cancellationToken: cancellationToken)),
        cancellationToken);

    /// <summary>For work without a statement of its own at its end. Not cancelled and not repeated: the tokens are used, and are counted at most once.</summary>
    public async Task CountAsync(TokenAccount account, long tokens)
    {
        if (tokens == 0)
            return;
        try
        {
            await database.OnceAsync(
                connection => connection.ExecuteAsync(new(
                    "with used as (select @tokens as tokens) " + AddToOne,
                    new { account.Day, account.Client, tokens, Slot = NewSlot() }, cancellationToken: CancellationToken.None)),
                CancellationToken.None);
        }
        catch (Exception e) when (e.IsDatabaseUnavailable())
        {
            log.LogWarning("{Tokens} tokens were not counted: {Reason}", tokens, e.GetType().Name);
        }
    }

    public ProblemHttpResult Refuse()
    {
        var now = time.GetUtcNow().UtcDateTime;
        return Problem.Of(
            StatusCodes.Status429TooManyRequests, "budget_spent", "The tokens for today are used up. Try again after midnight UTC.", now.Date.AddDays(1) - now);
    }

    /// <summary>The first process on a new day makes its salt, and deletes the days before yesterday.</summary>
    private async Task<byte[]> BeginAsync(string day, CancellationToken cancellationToken)
    {
        while (true)
        {
            var salt = await database.RetryAsync(
                connection => connection.ExecuteScalarAsync<byte[]>(new(
                    """
                    with made as (
                        insert into token_days (day, salt) values (@day::date, @made)
                        on conflict do nothing
                        returning salt
                    ),
                    old_usage as (
                        delete from token_usage where day < @day::date - 1 and exists (select from made)
                    ),
                    old_days as (
                        delete from token_days where day < @day::date - 1 and exists (select from made)
                    )
                    select salt from made
                    union all
                    select salt from token_days where day = @day::date
                    """,
                    new { day, made = RandomNumberGenerator.GetBytes(32) }, cancellationToken: cancellationToken)),
                cancellationToken);
            // Null when another process made it just now: the statement began before that.
            if (salt is not null)
                return salt;
        }
    }

    private sealed record Today(string Day, byte[] Salt);
}
