using System.ComponentModel;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Npgsql;

namespace ChatBackend.Features.Profile;

internal static class PutProfile
{
    public static void MapPutProfile(this IEndpointRouteBuilder profile) => profile
        .MapPut("", HandleAsync)
        .WithName(nameof(PutProfile))
        .FailsWith(StatusCodes.Status412PreconditionFailed, "precondition_failed")
        .Validate<ProfileRequest>()
        .AnswersWithVersion();

    /// <summary>Write your profile</summary>
    /// <remarks>Replaces it whole: a field that is left out is empty afterwards. Without If-Match the last writer wins.</remarks>
    /// <response code="200">The profile, its new version in ETag.</response>
    /// <response code="201">The profile; there was none before.</response>
    /// <response code="400">A field is not valid; <c>errors</c> names it.</response>
    /// <response code="412">The profile has changed since, or there is none; nothing was written.</response>
    internal static async Task<Results<Ok<ProfileResponse>, Created<ProfileResponse>, ProblemHttpResult>> HandleAsync(
        ProfileRequest request, [FromHeader(Name = "If-Match"), Description(IfMatch.Description)] string? ifMatch,
        CurrentReader reader, NpgsqlDataSource database, HttpResponse response, CancellationToken cancellationToken)
    {
        // With If-Match, also with *, there must be a profile (RFC 9110, 13.1.1).
        var isGuarded = !string.IsNullOrWhiteSpace(ifMatch);
        var parameters = request.ToParameters(reader.Subject, IfMatch.Versions(ifMatch));
        if (await StoreAsync(database, isGuarded ? Change : Create, parameters, cancellationToken) is not { } profile)
            return IfMatch.Failed();

        response.SetVersion(profile.Version);
        // Without a Location, the address is that of the request (RFC 9110, 15.3.2).
        return profile.IsNew ? TypedResults.Created((string?)null, profile) : TypedResults.Ok(profile);
    }

    /// <summary>Returns null when there is no profile to change, or none with these versions.</summary>
    /// <remarks>The change id is generated once, so a retry after a lost reply finds it and writes nothing, even if others have written since.</remarks>
    internal static Task<ProfileResponse?> StoreAsync(NpgsqlDataSource database, string sql, object parameters, CancellationToken cancellationToken)
    {
        return database.RetryAsync(
            async connection => await QueryAsync(connection, sql)
                ?? await QueryAsync(connection, $"select {Written} from profiles as p where user_id = @UserId and @ChangeId = any (change_ids)"),
            cancellationToken);

        Task<ProfileResponse?> QueryAsync(NpgsqlConnection connection, string statement) =>
            connection.QuerySingleOrDefaultAsync<ProfileResponse>(new(statement, parameters, cancellationToken: cancellationToken));
    }

    private const string Create =
        $"""
        insert into profiles as p (
            user_id, display_name, preferred_language, software_experience, hardware_experience, interests, learning_goals, created_by, change_ids)
        values (@UserId, @DisplayName, @PreferredLanguage, @SoftwareExperience, @HardwareExperience, @Interests, @LearningGoals, @ChangeId, array[@ChangeId])
        on conflict (user_id) do update
        set {Values}
        where @ChangeId <> all (p.change_ids)
        returning {Written}
        """;

    /// <summary>An update, which creates nothing: a change that waits for DELETE /profile must not bring the profile back.</summary>
    internal const string Change =
        $"""
        update profiles as p
        set {Values}
        where user_id = @UserId and (@Versions::integer[] is null or p.version = any (@Versions)) and @ChangeId <> all (p.change_ids)
        returning {Written}
        """;

    private const string Values =
        """
        display_name = @DisplayName, preferred_language = @PreferredLanguage, software_experience = @SoftwareExperience,
            hardware_experience = @HardwareExperience, interests = @Interests, learning_goals = @LearningGoals,
            version = p.version + 1, change_ids = (@ChangeId || p.change_ids)[1:8], updated_at = now()
        """;

    private const string Written = $"{ProfileResponse.Columns}, p.created_by = @ChangeId as is_new";
}
