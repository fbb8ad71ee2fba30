using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace ChatBackend.Features.Profile;

internal static class GetProfile
{
    public static void MapGetProfile(this IEndpointRouteBuilder profile) => profile
        .MapGet("", HandleAsync)
        .WithName(nameof(GetProfile))
        .FailsWith(StatusCodes.Status404NotFound, "profile_not_found")
        .AnswersWithVersion();

    /// <summary>Read your profile</summary>
    /// <response code="200">The profile, its version in ETag.</response>
    /// <response code="404">There is none yet.</response>
    internal static async Task<Results<Ok<ProfileResponse>, ProblemHttpResult>> HandleAsync(
        CurrentReader reader, NpgsqlDataSource database, HttpResponse response, CancellationToken cancellationToken)
    {
        if (await ReadAsync(database, reader, cancellationToken) is not { } profile)
            return ProfileFeature.None();

        response.SetVersion(profile.Version);
        return TypedResults.Ok(profile);
    }

    internal static Task<ProfileResponse?> ReadAsync(NpgsqlDataSource database, CurrentReader reader, CancellationToken cancellationToken) => database.RetryAsync(
        connection => connection.QuerySingleOrDefaultAsync<ProfileResponse>(new(
            $"select {ProfileResponse.Columns} from profiles where user_id = @Subject", reader, cancellationToken: cancellationToken)),
        cancellationToken);
}
