using System.Net.Http.Headers;
using System.Net.Http.Json;

namespace ChatBackend.Bench.Scenarios;

/// <summary>Readers read their profiles, and one in five changes it.</summary>
internal sealed class ProfileScenario : IScenario
{
    private static readonly string[] Levels = ["none", "beginner", "intermediate", "advanced"];
    private static readonly string[] Interests = ["grippers", "SLAM"];

    private AuthenticationHeaderValue[] _readers = [];

    public string Name => "profile";

    public string Description => "GET, PUT and PATCH /profile (8:1:1), each request by one of all the readers";

    public Target Target { get; } = new(0.95, 50);

    public async Task PrepareAsync(LoadRunner runner)
    {
        _readers = [.. Enumerable.Range(1, runner.Options.Profiles).Select(n => new AuthenticationHeaderValue("Bearer", SignIn.Token($"bench-{n}")))];
        await runner.ExecuteAsync("truncate profiles");
        await runner.ExecuteAsync(
            """
            insert into profiles (user_id, display_name, preferred_language, software_experience, hardware_experience, interests, learning_goals, created_by, change_ids)
            select format('bench-%s', n), format('Reader %s', n), 'en', (@Levels::text[])[1 + n % 4], (@Levels::text[])[1 + n / 4 % 4],
                   array['walking robots', 'control', 'perception'], repeat('To build a robot arm. ', 10), id, array[id]
            from (select n, gen_random_uuid() as id from generate_series(1, @Profiles) as n) as made
            """,
            new { Levels, runner.Options.Profiles });
        await runner.ExecuteAsync("vacuum analyze profiles");
    }

    public async Task<bool> RequestAsync(HttpClient client, Random random, CancellationToken cancellationToken)
    {
        var method = random.Next(10) switch { 0 => HttpMethod.Put, 1 => HttpMethod.Patch, _ => HttpMethod.Get };
        using var request = new HttpRequestMessage(method, "/profile") { Headers = { Authorization = _readers[random.Next(_readers.Length)] } };
        if (method == HttpMethod.Put)
            request.Content = JsonContent.Create(new { display_name = "Reader", software_experience = Levels[random.Next(4)], interests = Interests, learning_goals = new string('x', 200) });
        else if (method == HttpMethod.Patch)
            request.Content = JsonContent.Create(new { hardware_experience = Levels[random.Next(4)] });
        using var response = await client.SendAsync(request, cancellationToken);
        await response.Content.CopyToAsync(Stream.Null, cancellationToken);
        return response.IsSuccessStatusCode;
    }
}
